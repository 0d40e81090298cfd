//! The layers all networks share.
//!
//! Every layer is named by its `prefix`, the path of its module in the Python implementation, which is also how the
//! safetensors files name its weights. Images are `[batch, channels, height, width]`, sequences `[batch, length, width]`.
//!
//! A network has one precision: its weights and activations are of that type, and only its inputs and outputs are `f32`. In a
//! half type the sums inside of norms, products and softmax are still taken in `f32`: the runtime's kernels do so.

mod in_place;

use crate::error::Result;
use crate::onnx::{Attribute, Dim, ElementType, GraphBuilder, Tensor};
use crate::session::Precision;
use crate::weights::Weights;
use crate::weights::doubled::{self, PLACES};

/// A graph under construction together with the weights it draws on.
pub struct Net<'w> {
    /// The graph.
    pub graph: GraphBuilder,
    /// The weights.
    pub weights: &'w mut Weights,
    /// The type of weights and activations.
    element: ElementType,
    /// The most pixels that the image at hand can have; `None` where all weights are packed.
    pixels: Option<usize>,
}

impl<'w> Net<'w> {
    /// An empty network over `weights`.
    pub fn new(weights: &'w mut Weights, precision: Precision) -> Self {
        Self { graph: GraphBuilder::new(), weights, element: precision.into(), pixels: None }
    }

    /// Declares an `f32` input; the network sees it in its own precision.
    pub fn input(&mut self, name: &str, dims: &[Dim]) -> Tensor {
        let input = self.graph.input(name, ElementType::F32, dims);
        self.own(&input)
    }

    /// Makes `value` an output called `name`, as `f32`.
    pub fn output(&mut self, name: &str, value: &Tensor) {
        let value = self.wide(value);
        self.graph.output(name, &value);
    }

    /// An `f32` value in the network's precision.
    fn own(&mut self, value: &Tensor) -> Tensor {
        match self.element {
            ElementType::F32 => value.clone(),
            element => self.graph.cast(value, element),
        }
    }

    /// A value of the network's precision as `f32`.
    fn wide(&mut self, value: &Tensor) -> Tensor {
        match self.element {
            ElementType::F32 => value.clone(),
            _ => self.graph.cast(value, ElementType::F32),
        }
    }

    /// Constant floats in the network's precision.
    fn floats(&mut self, values: &[f32], dims: &[usize]) -> Tensor {
        let constant = self.graph.floats(values, dims);
        self.own(&constant)
    }

    /// Weight `name` of shape `dims` in the network's precision.
    ///
    /// # Errors
    /// Missing tensor, or one of another shape or type; so for every layer below.
    pub fn weight(&mut self, name: &str, dims: &[usize]) -> Result<Tensor> {
        self.weights.get(&mut self.graph, name, dims, self.element)
    }

    /// `a + b`, broadcast.
    pub fn add(&mut self, a: &Tensor, b: &Tensor) -> Tensor {
        self.graph.op("Add", &[a, b], &[])
    }

    /// `a * b`, broadcast.
    pub fn mul(&mut self, a: &Tensor, b: &Tensor) -> Tensor {
        self.graph.op("Mul", &[a, b], &[])
    }

    /// `x` in another shape: 0 keeps a dimension, -1 is what remains.
    pub fn reshape(&mut self, x: &Tensor, shape: &[i64]) -> Tensor {
        let shape = self.graph.integers(shape);
        self.graph.op("Reshape", &[x, &shape], &[])
    }

    /// `x` in the shape of `like`.
    pub fn reshape_like(&mut self, x: &Tensor, like: &Tensor) -> Tensor {
        let shape = self.graph.op("Shape", &[like], &[]);
        self.graph.op("Reshape", &[x, &shape], &[])
    }

    /// An image as a sequence of its pixels: `[batch, channels, height, width]` to `[batch, height * width, channels]`.
    pub fn to_sequence(&mut self, x: &Tensor, channels: usize) -> Tensor {
        let flat = self.reshape(x, &[0, channels as i64, -1]);
        self.transpose(&flat, &[0, 2, 1])
    }

    /// A sequence of pixels as an image of the height and width of `like`, whose batch may be another.
    pub fn to_image(&mut self, x: &Tensor, like: &Tensor) -> Tensor {
        let flat = self.transpose(x, &[0, 2, 1]);
        let size = self.graph.op("Shape", &[like], &[("start", Attribute::Int(2))]);
        let keep = self.graph.integers(&[0, 0]);
        let shape = self.graph.op("Concat", &[&keep, &size], &[("axis", Attribute::Int(0))]);
        self.graph.op("Reshape", &[&flat, &shape], &[])
    }

    /// `x` with its dimensions in another order.
    pub fn transpose(&mut self, x: &Tensor, order: &[i64]) -> Tensor {
        self.graph.op("Transpose", &[x], &[("perm", Attribute::Ints(order.to_vec()))])
    }

    /// `x * sigmoid(alpha * x)`: SiLU for alpha 1, OpenAI's "quick" gelu for alpha 1.702.
    pub fn sigmoid_gate(&mut self, x: &Tensor, alpha: f32) -> Tensor {
        self.graph.ms_op("QuickGelu", &[x], &[("alpha", Attribute::Float(alpha))])
    }

    /// SiLU, `x * sigmoid(x)`.
    pub fn silu(&mut self, x: &Tensor) -> Tensor {
        self.sigmoid_gate(x, 1.0)
    }

    /// The exact gelu, by the error function.
    pub fn gelu(&mut self, x: &Tensor) -> Tensor {
        self.graph.ms_op("Gelu", &[x], &[])
    }

    /// `x W^T + b` on the last dimension; `W` is `[output, input]`.
    pub fn linear(&mut self, prefix: &str, x: &Tensor, input: usize, output: usize, bias: bool) -> Result<Tensor> {
        let weight = self.weight(&format!("{prefix}.weight"), &[output, input])?;
        let y = self.matmul(x, &weight);
        if !bias {
            return Ok(y);
        }
        let bias = self.weight(&format!("{prefix}.bias"), &[output])?;
        Ok(self.add(&y, &bias))
    }

    /// [`Net::linear`] on a sequence of pixels `[batch, pixels, input]`, whose weight may stay in place.
    pub fn pixel_linear(
        &mut self,
        prefix: &str,
        x: &Tensor,
        [output, input]: [usize; 2],
        bias: bool,
    ) -> Result<Tensor> {
        let name = format!("{prefix}.weight");
        let weight = self.weight(&name, &[output, input])?;
        let y = self.pixel_matmul(x, &weight, &name, [output, input]);
        if !bias {
            return Ok(y);
        }
        let bias = self.weight(&format!("{prefix}.bias"), &[output])?;
        Ok(self.add(&y, &bias))
    }

    /// Rows `first .. first + rows` of what [`Net::pixel_linear`] with bias would give for an `[output, input]` weight.
    pub fn linear_part(
        &mut self,
        prefix: &str,
        x: &Tensor,
        [output, input]: [usize; 2],
        first: usize,
        rows: usize,
    ) -> Result<Tensor> {
        let mut part = |name: &str, dims: &[usize]| {
            self.weights.rows(&mut self.graph, &format!("{prefix}.{name}"), dims, first, rows, self.element)
        };
        let (weight, bias) = (part("weight", &[output, input])?, part("bias", &[output])?);
        let y = self.pixel_matmul(x, &weight, &format!("{prefix}.weight"), [rows, input]);
        Ok(self.add(&y, &bias))
    }

    fn matmul(&mut self, x: &Tensor, weight: &Tensor) -> Tensor {
        self.graph.ms_op("FusedMatMul", &[x, weight], &[("transB", Attribute::Int(1))])
    }

    /// A square convolution; `channels` is `[output, input]`.
    pub fn conv(&mut self, prefix: &str, x: &Tensor, channels: [usize; 2], shape: ConvShape) -> Result<Tensor> {
        let ConvShape { kernel, stride, padding, bias } = shape;
        let [output, input] = channels;
        let name = format!("{prefix}.weight");
        let dims = [output, input, kernel, kernel];
        let weight = self.weight(&name, &dims)?;
        if self.stays_in_place(&name, output) {
            self.graph.keep_in_place(&weight, ElementType::F32, &dims);
        }
        let bias = if bias { Some(self.weight(&format!("{prefix}.bias"), &[output])?) } else { None };
        Ok(self.convolve(x, &weight, bias.as_ref(), stride, [padding; 4]))
    }

    /// `padding` is top, left, bottom, right.
    fn convolve(
        &mut self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        stride: usize,
        padding: [usize; 4],
    ) -> Tensor {
        let inputs: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
        let padding = padding.map(|value| value as i64).to_vec();
        let attributes = [("strides", Attribute::Ints(vec![stride as i64; 2])), ("pads", Attribute::Ints(padding))];
        self.graph.op("Conv", &inputs, &attributes)
    }

    /// Layer normalisation over the last dimension.
    pub fn layer_norm(&mut self, prefix: &str, x: &Tensor, width: usize, epsilon: f32) -> Result<Tensor> {
        let weight = self.weight(&format!("{prefix}.weight"), &[width])?;
        let bias = self.weight(&format!("{prefix}.bias"), &[width])?;
        let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(epsilon))];
        Ok(self.graph.op("LayerNormalization", &[x, &weight, &bias], &attributes))
    }

    /// Group normalisation of an image.
    pub fn group_norm(&mut self, prefix: &str, x: &Tensor, channels: usize, norm: GroupNorm) -> Result<Tensor> {
        let groups = norm.groups;
        let grouped = self.reshape(x, &[0, groups as i64, -1]);
        let one = self.floats(&vec![1.0; groups], &[groups]);
        let zero = self.floats(&vec![0.0; groups], &[groups]);
        let epsilon = [("epsilon", Attribute::Float(norm.epsilon))];
        let normal = self.graph.op("InstanceNormalization", &[&grouped, &one, &zero], &epsilon);
        let normal = self.reshape_like(&normal, x);
        // Weight and bias of each channel as a batch normalisation whose statistics change nothing: one pass, not two.
        let weight = self.weight(&format!("{prefix}.weight"), &[channels])?;
        let bias = self.weight(&format!("{prefix}.bias"), &[channels])?;
        let mean = self.floats(&vec![0.0; channels], &[channels]);
        let variance = self.floats(&vec![1.0; channels], &[channels]);
        let inputs = [&normal, &weight, &bias, &mean, &variance];
        Ok(self.graph.op("BatchNormalization", &inputs, &[("epsilon", Attribute::Float(0.0))]))
    }

    /// `softmax(q k^T / sqrt(d)) v` for `heads` heads, on `[batch, length, heads * d]`.
    pub fn attention(&mut self, [q, k, v]: [&Tensor; 3], heads: usize, causal: bool) -> Tensor {
        let attributes =
            [("num_heads", Attribute::Int(heads as i64)), ("unidirectional", Attribute::Int(causal.into()))];
        self.graph.ms_op("MultiHeadAttention", &[q, k, v], &attributes)
    }

    /// [`Net::attention`] in `f32`, whatever the precision of the network.
    pub fn attention_in_f32(&mut self, qkv: [&Tensor; 3], heads: usize) -> Tensor {
        let [q, k, v] = qkv.map(|value| self.wide(value));
        let mixed = self.attention([&q, &k, &v], heads, false);
        self.own(&mixed)
    }

    /// `width` entries from `first` on, in dimension `axis`.
    pub fn columns(&mut self, x: &Tensor, axis: usize, first: usize, width: usize) -> Tensor {
        let [start, end, axis] = [first, first + width, axis].map(|value| self.graph.integers(&[value as i64]));
        self.graph.op("Slice", &[x, &start, &end, &axis], &[])
    }

    /// Twice the size by repeating pixels, then a convolution of side 3 that keeps it; `channels` is `[output, input]`.
    ///
    /// Where pixels repeat, most of the 9 weights of an output pixel meet the same input pixel twice or four times. So it is
    /// computed on the small image, with the sums of those weights: a convolution of side 2 for each of the four positions in
    /// a doubled pixel, 16 products for every 36. Measured: 1.2 times (32 channels) to 1.8 times (128) faster.
    pub fn upsample_conv(&mut self, prefix: &str, x: &Tensor, channels: [usize; 2]) -> Result<Tensor> {
        let bias = self.weight(&format!("{prefix}.bias"), &[channels[0]])?;
        let kernels = self.doubled(&format!("{prefix}.weight"), channels)?;
        let parts = PLACES.iter().zip(kernels).map(|(&(row, column), kernel)| {
            self.convolve(x, &kernel, Some(&bias), 1, [1 - row, 1 - column, row, column])
        });
        let parts: Vec<Tensor> = parts.collect();
        let parts: Vec<&Tensor> = parts.iter().collect();
        let parts = self.graph.op("Concat", &parts, &[("axis", Attribute::Int(1))]);
        Ok(self.graph.op("DepthToSpace", &[&parts], &[("blocksize", Attribute::Int(2))]))
    }

    /// The kernels of side 2 for the four places in a doubled pixel, of weight `name`. Those that stay in place come ready with the
    /// network; others are folded when the runtime loads the graph, in `f32` in any network.
    fn doubled(&mut self, name: &str, [output, input]: [usize; 2]) -> Result<[Tensor; 4]> {
        if self.stays_in_place(name, output) {
            return self.weights.doubled(&mut self.graph, name, [output, input]);
        }
        let weight = self.weights.get(&mut self.graph, name, &[output, input, 3, 3], ElementType::F32)?;
        let weight = self.reshape(&weight, &[-1, 9]);
        Ok(PLACES.map(|place| {
            let sums = self.graph.floats(&doubled::matrix(place), &[9, 4]);
            let kernel = self.graph.op("MatMul", &[&weight, &sums], &[]);
            let kernel = self.reshape(&kernel, &[output as i64, input as i64, 2, 2]);
            self.own(&kernel)
        }))
    }

    /// The size of `like`, about twice that of `x`, by repeating pixels: for where rounding made a skip connection odd.
    pub fn upsample_to(&mut self, x: &Tensor, like: &Tensor) -> Tensor {
        let absent = GraphBuilder::absent();
        let attributes = [
            ("mode", Attribute::Str("nearest")),
            ("coordinate_transformation_mode", Attribute::Str("asymmetric")),
            ("nearest_mode", Attribute::Str("floor")),
        ];
        let range = |start, end| [("start", Attribute::Int(start)), ("end", Attribute::Int(end))];
        let own = self.graph.op("Shape", &[x], &range(0, 2));
        let other = self.graph.op("Shape", &[like], &range(2, 4));
        let sizes = self.graph.op("Concat", &[&own, &other], &[("axis", Attribute::Int(0))]);
        self.graph.op("Resize", &[x, &absent, &absent, &sizes], &attributes)
    }

    /// Rows of an embedding table, gathered as stored and only then cast: the table never exists in `f32`.
    pub fn embedding(&mut self, name: &str, ids: &Tensor, [rows, width]: [usize; 2]) -> Result<Tensor> {
        let (table, element) = self.weights.stored(&mut self.graph, name, &[rows, width])?;
        let gathered = self.graph.op("Gather", &[&table, ids], &[("axis", Attribute::Int(0))]);
        Ok(if element == self.element { gathered } else { self.graph.cast(&gathered, self.element) })
    }
}

/// Kernel and movement of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct ConvShape {
    /// Side of the kernel.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

impl ConvShape {
    /// Keeps the size: odd `kernel`, stride 1, with bias.
    pub const fn same(kernel: usize) -> Self {
        Self { kernel, stride: 1, padding: kernel / 2, bias: true }
    }
}

/// Groups and epsilon of a group normalisation.
#[derive(Debug, Clone, Copy)]
pub struct GroupNorm {
    /// Number of groups; divides the channels.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f32,
}

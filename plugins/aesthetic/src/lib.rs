//! The LAION aesthetic score: how much people like the look of an image; see the README for where the head comes from.
//!
//! `image -> CLIP embedding of length 1 -> head -> number`. Both models are the suite's: the embedding is the host's and shared
//! with every other metric that asks for it, the head is an ONNX graph that `export.py` makes of the published weights.

difftest_sdk::metrics! {
    /// Which of the suite's models to use.
    pub struct Config {
        /// Name under `[models]` of the CLIP model that the head was trained on, such as OpenAI's ViT-L/14.
        #[config(default = "clip")]
        pub clip: String,
        /// Name under `[models]` of the head.
        #[config(default = "aesthetic")]
        pub head: String,
        /// What the head calls its input.
        #[config(default = "embedding")]
        pub input: String,
    }

    /// How much people like the look of the image, about 1 to 10, by a LAION aesthetic head over CLIP embeddings.
    #[metric(direction = higher)]
    pub fn score(image: &Image, config: &Config) -> Result<f64, Error> {
        let Config { clip, head, input } = config;
        // before the embedding, which takes a thousand times as long
        let graph = nn::Graph::by_name(head)?;
        let embedding = models::embed_image(clip, image)?;
        let count = embedding.len();
        let tensor = nn::Tensor::new(&[1, count], &embedding)?;
        let outputs = graph.compute(&[(input, tensor)]).map_err(|error| {
            Error::other(format_args!(
                "the head `{head}` does not rate embeddings by `{clip}`, which have {count} numbers: {error}; a head belongs to \
                 the CLIP model that it was trained on, LAION's v2 to OpenAI's ViT-L/14 with 768 numbers"
            ))
        })?;
        let [(output, rating)] = outputs.as_slice() else {
            return Err(Error::other(format_args!("the head `{head}` has {} outputs; a head has one", outputs.len())));
        };
        match rating.values::<f32>()?.as_slice() {
            [rating] => Ok(f64::from(*rating)),
            ratings => Err(Error::other(format_args!(
                "the output `{output}` of the head `{head}` has {} numbers for one embedding by `{clip}`; a rating is one",
                ratings.len()
            ))),
        }
    }
}

//! Objects in a folder, with the conditions of S3 kept to the letter.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use s3s::dto::{
    ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::Mutex;

/// `s3s-fs`, with one writer at a time.
pub(crate) struct Store {
    inner: FileSystem,
    writing: Mutex<()>,
}

impl Store {
    pub(crate) fn open(folder: &Path) -> Result<Self, s3s_fs::Error> {
        Ok(Self { inner: FileSystem::new(folder)?, writing: Mutex::default() })
    }
}

/// All of a body; an upload that breaks off is an error and leaves nothing.
async fn received(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Err(s3_error!(IncompleteBody)) };
    let pieces = body.try_fold(BytesMut::new(), |mut all, piece| async move {
        all.extend_from_slice(&piece);
        Ok(all)
    });
    pieces.await.map(BytesMut::freeze).map_err(|error| s3_error!(IncompleteBody, "{error}"))
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let mut request = request;
        let body = received(request.input.body.take()).await?;
        if request.input.content_length.is_some_and(|said| said != body.len() as i64) {
            return Err(s3_error!(IncompleteBody));
        }
        let body = futures_util::stream::once(async move { Ok::<_, std::io::Error>(body) });
        request.input.body = Some(StreamingBlob::wrap(body));
        // whether it is there, and putting it there, are one step
        let _one = self.writing.lock().await;
        self.inner.put_object(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let known = request.input.if_none_match.clone();
        let answer = self.inner.get_object(request).await?;
        match (known, &answer.output.e_tag) {
            (Some(ETagCondition::ETag(known)), Some(now)) if known.weak_cmp(now) => Err(s3_error!(NotModified)),
            (Some(ETagCondition::Any), _) => Err(s3_error!(NotModified)),
            _ => Ok(answer),
        }
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.inner.head_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.inner.list_objects_v2(request).await
    }
}

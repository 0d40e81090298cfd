//! Evidence that machines share: blobs, baselines and recordings in an object store or a folder.

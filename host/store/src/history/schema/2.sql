-- What a test was compared with: one digest over the baseline of its gates and the accepted images of its cases; none where it was
-- compared with nothing. A verdict that follows an accepted image is not a flaky one.
ALTER TABLE run_test ADD COLUMN baseline BLOB;

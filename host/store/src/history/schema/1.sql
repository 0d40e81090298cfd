-- What occurs in many runs.
CREATE TABLE suite (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE test (id INTEGER PRIMARY KEY, suite INTEGER NOT NULL REFERENCES suite, name TEXT NOT NULL, UNIQUE (suite, name)) STRICT;
CREATE TABLE environment (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE model (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
-- Everything that the images of a test depend on but prompt and seed: model files, settings, runtime.
CREATE TABLE setup (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE) STRICT;
-- The digest is over text and negative prompt: an index over prompts of any length.
CREATE TABLE prompt (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, text TEXT NOT NULL, negative TEXT) STRICT;
-- `sample` is one prompt with one seed; the id of a case may come to mean another one when the suite is edited. Seeds are 64 bits.
CREATE TABLE sample (
    id INTEGER PRIMARY KEY, test INTEGER NOT NULL REFERENCES test, name TEXT NOT NULL, prompt INTEGER NOT NULL REFERENCES prompt,
    seed INTEGER NOT NULL, UNIQUE (test, name, prompt, seed)
) STRICT;
CREATE TABLE image (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE) STRICT;
-- Scores of different rows are never compared. `direction`: 1 higher is better, -1 lower, 0 neither. `kind`: image, pair, set.
CREATE TABLE metric (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, direction INTEGER NOT NULL, kind TEXT NOT NULL, UNIQUE (name, key)
) STRICT;

-- What a run adds. Rows are never changed.
CREATE TABLE run (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, started TEXT NOT NULL, seconds REAL, conclusion TEXT, difftest TEXT NOT NULL,
    checkout TEXT, label TEXT, folder TEXT NOT NULL
) STRICT;
CREATE TABLE run_suite (
    run INTEGER NOT NULL REFERENCES run, suite INTEGER NOT NULL REFERENCES suite, environment INTEGER NOT NULL REFERENCES environment,
    model INTEGER NOT NULL REFERENCES model, digest TEXT, error TEXT, PRIMARY KEY (run, suite)
) STRICT, WITHOUT ROWID;
CREATE TABLE run_test (
    run INTEGER NOT NULL REFERENCES run, test INTEGER NOT NULL REFERENCES test, setup INTEGER NOT NULL REFERENCES setup,
    verdict TEXT NOT NULL, PRIMARY KEY (run, test)
) STRICT, WITHOUT ROWID;
CREATE TABLE gate (
    run INTEGER NOT NULL REFERENCES run, test INTEGER NOT NULL REFERENCES test, place INTEGER NOT NULL, metric TEXT NOT NULL,
    statistic TEXT NOT NULL, rule TEXT NOT NULL, min REAL, max REAL, value REAL, holds INTEGER NOT NULL, decision TEXT,
    PRIMARY KEY (run, test, place)
) STRICT, WITHOUT ROWID;
-- `cached`: found, not made in that run.
CREATE TABLE execution (
    run INTEGER NOT NULL REFERENCES run, sample INTEGER NOT NULL REFERENCES sample, image INTEGER REFERENCES image,
    cached INTEGER NOT NULL, seconds REAL, PRIMARY KEY (run, sample)
) STRICT, WITHOUT ROWID;
CREATE TABLE score (
    run INTEGER NOT NULL REFERENCES run, sample INTEGER NOT NULL REFERENCES sample, metric INTEGER NOT NULL REFERENCES metric,
    value REAL NOT NULL, cached INTEGER NOT NULL, PRIMARY KEY (run, sample, metric)
) STRICT, WITHOUT ROWID;
-- A test's scores of one metric in one run; for a set metric its one score. `samples` names the images it is over.
CREATE TABLE summary (
    metric INTEGER NOT NULL REFERENCES metric, test INTEGER NOT NULL REFERENCES test, run INTEGER NOT NULL REFERENCES run,
    samples INTEGER NOT NULL, images INTEGER NOT NULL, mean REAL NOT NULL, least REAL NOT NULL, most REAL NOT NULL,
    PRIMARY KEY (metric, test, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX summary_run ON summary (run);

-- Lists of versions do not read their specs.
CREATE INDEX dag_version_by_time ON dag_version (dag, deployed_at DESC, version);

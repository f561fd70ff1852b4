-- The versions of a DAG, the newest first, each with how many of the DAG's last $2 runs have it. Their specs are not read.
SELECT
    known.version, known.deployed_at, coalesce(used.runs, 0), used.last_start
FROM dag_version AS known
LEFT JOIN (
    SELECT recent.version, count(*) AS runs, max(recent.interval_start) AS last_start
    FROM (
        SELECT version, interval_start
        FROM run
        WHERE dag = $1
        ORDER BY interval_start DESC, id DESC
        LIMIT $2
    ) AS recent
    GROUP BY recent.version
) AS used ON used.version = known.version
WHERE known.dag = $1
ORDER BY known.deployed_at DESC, known.version

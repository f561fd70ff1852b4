-- Each check, in the order of DAG, table and name from a place on, with its last results, the newest first. From one check the next is
-- found in the index, however many results there are between them; `found` says how many before it are wanted, so that the way ends.
WITH RECURSIVE head (id, found) AS (
    SELECT
        (
            SELECT first.rowid
            FROM check_result AS first
            WHERE (first.dag, first.of_table, first.name) > ($1, $2, $3)
            ORDER BY first.dag, first.of_table, first.name
            LIMIT 1
        ),
        0
    UNION ALL
    SELECT
        coalesce(
            (
                SELECT next.rowid
                FROM check_result AS next
                WHERE next.dag = known.dag AND next.of_table = known.of_table AND next.name > known.name
                ORDER BY next.name
                LIMIT 1
            ),
            (
                SELECT next.rowid
                FROM check_result AS next
                WHERE next.dag = known.dag AND next.of_table > known.of_table
                ORDER BY next.of_table, next.name
                LIMIT 1
            ),
            (
                SELECT next.rowid
                FROM check_result AS next
                WHERE next.dag > known.dag
                ORDER BY next.dag, next.of_table, next.name
                LIMIT 1
            )
        ),
        head.found + (
            (CAST($5 AS text) IS NULL OR known.of_table = $5)
            AND (
                CAST($6 AS text) IS NULL
                OR replace(CAST($6 AS text), '/' || known.dag || '/', '') <> CAST($6 AS text)
            )
            AND (
                NOT $7 OR 'passed' <> (
                    SELECT result.status
                    FROM check_result AS result
                    WHERE result.dag = known.dag AND result.of_table = known.of_table AND result.name = known.name
                    ORDER BY result.checked_at DESC, result.attempt DESC, result.nth DESC
                    LIMIT 1
                )
            )
        )
    FROM head
    INNER JOIN check_result AS known ON known.rowid = head.id
    WHERE head.found < $8 AND (CAST($4 AS text) IS NULL OR known.dag = $4)
), wanted AS (
    SELECT known.dag, known.of_table, known.name
    FROM head
    INNER JOIN check_result AS known ON known.rowid = head.id
    WHERE
        head.found < $8
        AND (CAST($4 AS text) IS NULL OR known.dag = $4)
        AND (CAST($5 AS text) IS NULL OR known.of_table = $5)
        AND (
            CAST($6 AS text) IS NULL
            OR replace(CAST($6 AS text), '/' || known.dag || '/', '') <> CAST($6 AS text)
        )
        AND (
            NOT $7 OR 'passed' <> (
                SELECT result.status
                FROM check_result AS result
                WHERE result.dag = known.dag AND result.of_table = known.of_table AND result.name = known.name
                ORDER BY result.checked_at DESC, result.attempt DESC, result.nth DESC
                LIMIT 1
            )
        )
)
SELECT
    wanted.dag, wanted.of_table, wanted.name, result.kind, result.severity, result.blocking, result.checked_at, result.attempt,
    result.nth, result.status, result.rows_checked, result.rows_failed
FROM wanted
INNER JOIN check_result AS result ON result.rowid IN (
    SELECT one.rowid
    FROM check_result AS one
    WHERE one.dag = wanted.dag AND one.of_table = wanted.of_table AND one.name = wanted.name
    ORDER BY one.checked_at DESC, one.attempt DESC, one.nth DESC
    LIMIT $9
)
ORDER BY wanted.dag, wanted.of_table, wanted.name, result.checked_at DESC, result.attempt DESC, result.nth DESC

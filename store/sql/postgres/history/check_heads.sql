-- Each check, in the order of DAG, table and name from a place on, with its last results, the newest first. From one check the next is
-- found in the index, however many results there are between them.
WITH RECURSIVE head AS (
    (
        SELECT dag, of_table, name
        FROM check_result
        WHERE (dag, of_table, name) > ($1, $2, $3)
        ORDER BY dag, of_table, name
        LIMIT 1
    )
    UNION ALL
    SELECT next.dag, next.of_table, next.name
    FROM head
    CROSS JOIN LATERAL (
        SELECT known.dag, known.of_table, known.name
        FROM check_result AS known
        WHERE (known.dag, known.of_table, known.name) > (head.dag, head.of_table, head.name)
        ORDER BY known.dag, known.of_table, known.name
        LIMIT 1
    ) AS next
    WHERE CAST($4 AS text) IS NULL OR head.dag = $4
), wanted AS (
    SELECT head.dag, head.of_table, head.name
    FROM head
    WHERE
        (CAST($4 AS text) IS NULL OR dag = $4)
        AND (CAST($5 AS text) IS NULL OR of_table = $5)
        AND (CAST($6 AS text) IS NULL OR replace(CAST($6 AS text), '/' || dag || '/', '') <> CAST($6 AS text))
        AND (
            NOT $7 OR 'passed' <> (
                SELECT result.status
                FROM check_result AS result
                WHERE result.dag = head.dag AND result.of_table = head.of_table AND result.name = head.name
                ORDER BY result.checked_at DESC, result.attempt DESC, result.nth DESC
                LIMIT 1
            )
        )
    LIMIT $8
)
SELECT
    wanted.dag, wanted.of_table, wanted.name, result.kind, result.severity, result.blocking, result.checked_at, result.attempt,
    result.nth, result.status, result.rows_checked, result.rows_failed
FROM wanted
CROSS JOIN LATERAL (
    SELECT
        one.kind, one.severity, one.blocking, one.checked_at, one.attempt, one.nth, one.status, one.rows_checked, one.rows_failed
    FROM check_result AS one
    WHERE one.dag = wanted.dag AND one.of_table = wanted.of_table AND one.name = wanted.name
    ORDER BY one.checked_at DESC, one.attempt DESC, one.nth DESC
    LIMIT $9
) AS result
ORDER BY wanted.dag, wanted.of_table, wanted.name, result.checked_at DESC, result.attempt DESC, result.nth DESC

-- Locks the leader's row and moves it on. No row: somebody else leads, or this is not the next batch.
UPDATE leader SET
    batch = $2,
    run_max = greatest(run_max, $3), attempt_max = greatest(attempt_max, $4),
    backfill_max = greatest(backfill_max, $5), asset_event_max = greatest(asset_event_max, $6),
    outbox_max = greatest(outbox_max, $7), audit_max = greatest(audit_max, $8),
    audit_hash = coalesce($9, audit_hash)
WHERE term = $1 AND batch = $2 - 1
RETURNING 1

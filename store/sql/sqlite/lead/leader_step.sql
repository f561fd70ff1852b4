-- Checks the leader's row and moves it on. No row: somebody else leads, or this is not the next batch.
UPDATE leader SET
    batch = $2,
    run_max = max(run_max, $3), attempt_max = max(attempt_max, $4),
    backfill_max = max(backfill_max, $5), asset_event_max = max(asset_event_max, $6),
    outbox_max = max(outbox_max, $7), audit_max = max(audit_max, $8),
    audit_hash = coalesce($9, audit_hash)
WHERE term = $1 AND batch = $2 - 1

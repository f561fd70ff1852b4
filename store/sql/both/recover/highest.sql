-- The highest numbers ever given. They stay when what had them is cleaned away.
SELECT run_max, attempt_max, backfill_max, asset_event_max, outbox_max, audit_max FROM leader

-- Lines of the audit log that lie before where their chain begins now.
DELETE FROM audit WHERE id BETWEEN $1 AND $2

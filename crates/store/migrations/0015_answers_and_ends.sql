-- When a list was last answered for. While looks fail, checked goes on, and the list grows old. What older releases left does
-- not say; it is at least as old as the last change.
ALTER TABLE peering_irrstate ADD COLUMN answered {time};
UPDATE peering_irrstate SET answered = CASE WHEN failure IS NULL THEN checked ELSE taken END;

-- The last run of each task, without reading all jobs.
CREATE INDEX core_job_ended ON core_job (task, completed, id) WHERE completed IS NOT NULL;

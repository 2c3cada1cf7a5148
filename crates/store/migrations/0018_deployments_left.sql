-- Deployments whose end is not known, and who says that it was looked after.
ALTER TABLE devices_deployment ADD COLUMN closed_by {text};
CREATE INDEX devices_deployment_left ON devices_deployment (router_id) WHERE status IN ('committing', 'unconfirmed', 'unknown');

-- When a run found that there is nothing to change any more on a router to which a guard had let no configuration.
ALTER TABLE devices_deployment ADD COLUMN passed {time};

-- Those that are still refused, without reading all deployments.
DROP INDEX devices_deployment_refused;
CREATE INDEX devices_deployment_refused ON devices_deployment (router_name) WHERE status = 'refused' AND passed IS NULL;

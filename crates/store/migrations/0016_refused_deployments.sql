-- What guards refused of a job, without reading all deployments.
CREATE INDEX devices_deployment_refused ON devices_deployment (job_id) WHERE status = 'refused';

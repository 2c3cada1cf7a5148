-- The secrets in a deployment's configuration, sealed, so that they can be hidden in what is shown of it, and the old ones in
-- the next difference. From here on releases that cannot read arguments and addresses that are sealed are refused.
ALTER TABLE devices_deployment ADD COLUMN secrets {text};

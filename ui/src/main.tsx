import { RemoteAgents } from "./RemoteAgents";

// Airflow imports this script and takes `globalThis.AirflowPlugin` for the component of the page.
export default RemoteAgents;

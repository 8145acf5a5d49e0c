/** Where an agent is in the admin API. */
export function agentPath(client_id: string, agent_id: string): string {
  return `/admin/v1${ofAgent(client_id, agent_id)}`
}

/** Where an agent is in the registration API, which its client and its registrars use. */
export function intentAgentPath(client_id: string, agent_id: string): string {
  return `/intent${ofAgent(client_id, agent_id)}`
}

function ofAgent(client_id: string, agent_id: string): string {
  return `/agents/${encodeURIComponent(client_id)}/${encodeURIComponent(agent_id)}`
}

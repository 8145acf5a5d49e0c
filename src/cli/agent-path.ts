/** Where an agent is in the admin API. */
export function agentPath(client_id: string, agent_id: string): string {
  return `/admin/v1/agents/${encodeURIComponent(client_id)}/${encodeURIComponent(agent_id)}`
}

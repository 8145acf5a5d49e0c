export function workflowPath(client_id: string, workflow_id: string): string {
  return `/admin/v1/workflows/${encodeURIComponent(client_id)}/${encodeURIComponent(workflow_id)}`
}

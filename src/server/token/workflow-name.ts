import { createHmac } from 'node:crypto'
import { canonicalJson } from '../../protocol/jcs.ts'
import type { Permitted } from './authorization.ts'

/**
 * The name of its workflow that a token shows: where the API asks for pairwise names, a value that is its own and always
 * the same (protocol.md section 7), 128 bits of an HMAC. Undefined without a workflow.
 */
export function shownWorkflowId(key: Buffer, { target, client, agent }: Permitted): string | undefined {
  const workflow_id = agent?.workflow?.workflow_id
  if (workflow_id === undefined || target.workflow_names === 'plain') return workflow_id
  const named = canonicalJson([target.resource, client.client_id, workflow_id])
  const mac = createHmac('sha256', key).update(named, 'utf8').digest()
  return `wf_${mac.subarray(0, 16).toString('base64url')}`
}

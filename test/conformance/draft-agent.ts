import { exportSPKI, importJWK } from 'jose'
import { z } from 'zod'
import type { TestKey } from '../support/dpop.ts'
import { components } from './setting.ts'

/** The literal client of draft-goswami-agentic-jwt-00: fetch, a client secret, a Bearer token, and no DPoP. */
export type DraftClient = {
  readonly issuer: string
  readonly client_id: string
  readonly client_secret: string
  readonly resource: string
  readonly agentKey: TestKey
}

/** Where the client stopped, and with what. */
export type Stop = { readonly path: string; readonly response: Response; readonly body: Record<string, unknown> }

const OWN_SCOPE = 'generate:intent-token register:intent register:workflow'
const bodySchema = z.record(z.string(), z.unknown())
const textSchema = z.string()

/**
 * Does what the draft describes, in its order: client token, agent, workflow, intent token. Returns the first answer
 * that is not 200, else the last.
 */
export async function runDraftClient(client: DraftClient): Promise<Stop> {
  const { issuer, client_id, client_secret, resource } = client
  const basic = Buffer.from(`${client_id}:${client_secret}`).toString('base64')
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope: OWN_SCOPE, resource: issuer })
  const clientToken = await send('/oauth/token', form, `Basic ${basic}`)
  if (!clientToken.response.ok) return clientToken
  const bearer = `Bearer ${textSchema.parse(clientToken.body.access_token)}`

  const agent_components = components('patcher')
  const public_key = await spki(client.agentKey)
  const agent = await send('/intent/register/agent', { app_id: client_id, agent_components, public_key }, bearer)
  if (!agent.response.ok) return agent
  const steps = { scan: { required: true }, patch: { agent_id: 'patcher', dependencies: ['scan'] } }
  const workflow = await send('/intent/register/workflow', { workflow_id: 'auto-patch', steps }, bearer)
  if (!workflow.response.ok) return workflow

  const request = {
    grant_type: 'agent_checksum',
    agent_id: 'patcher',
    computed_checksum: `sha256:${agent.body.checksum}`,
    requested_scopes: ['repo:write'],
    audience: resource,
    workflow_enabled: true,
    workflow_id: 'auto-patch',
    workflow_step: { step_id: 'patch' },
    delegation_context: { chain: ['patcher'], completed_steps: ['scan'] },
  }
  return await send('/intent/token', request, bearer)

  async function send(path: string, body: object, authorization: string): Promise<Stop> {
    const isForm = body instanceof URLSearchParams
    const response = await fetch(`${issuer}${path}`, {
      method: 'POST',
      headers: {
        authorization,
        'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
        'x-shim-checksum': `sha256 ${'0'.repeat(64)}`,
      },
      body: isForm ? body.toString() : JSON.stringify(body),
    })
    return { path, response, body: bodySchema.parse(await response.json()) }
  }
}

async function spki({ jwk, alg }: TestKey): Promise<string> {
  const key = await importJWK(jwk, alg, { extractable: true })
  if (!(key instanceof CryptoKey)) throw new Error('A public key is not symmetric.')
  return await exportSPKI(key)
}

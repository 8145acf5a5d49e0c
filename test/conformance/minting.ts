import assert from 'node:assert/strict'
import { z } from 'zod'
import { signProof } from '../support/dpop.ts'
import { type Answer, get, postForm } from './http.ts'
import { AGENT_GRANT, type Agent, assertionOf, type KeyClient, proofHeader, type Setting } from './setting.ts'

const answerSchema = z.looseObject({ access_token: z.string() })

/** The agent grant in form encoding by a key client with a proof by the agent's key. */
export async function mint(
  { app, issuer }: Setting,
  client: KeyClient,
  agent: Agent,
  asked: { readonly resource: string; readonly scope: string; readonly [parameter: string]: string },
  grant_type = AGENT_GRANT,
): Promise<Answer> {
  const url = `${issuer}/oauth/token`
  const { agent_id, checksum: computed_checksum } = agent
  const form = { grant_type, agent_id, computed_checksum, ...asked, ...(await assertionOf(app, client)) }
  return await postForm(url, form, await proofHeader(app, agent.key, url))
}

/** The token of an answer that must be a success. */
export function tokenOf({ status, body }: Answer): string {
  assert.equal(status, 200, JSON.stringify(body))
  return answerSchema.parse(body).access_token
}

/** Calls a resource with a DPoP-bound token and a proof by the agent's key (RFC 9449 section 7). */
export async function callWithProof({ app }: Setting, url: string, token: string, agent: Agent): Promise<Answer> {
  const proof = await signProof(agent.key, { htm: 'GET', htu: url, iat: app.clock.seconds(), accessToken: token })
  return await get(url, { authorization: `DPoP ${token}`, dpop: proof })
}

import { decodeJwt } from 'jose'
import { z } from 'zod'
import { agentChecksum, type ChecksumComponents } from '../protocol/checksum.ts'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../protocol/claims.ts'
import { sha256Base64url } from '../protocol/digest.ts'
import { OAuthError } from '../protocol/errors.ts'
import { AGENT_GRANT } from '../protocol/grant-types.ts'
import type { JsonObject } from '../protocol/json.ts'
import { thumbprintOf } from '../protocol/jwk.ts'
import { splitScope } from '../protocol/scope.ts'
import { signDpopProof } from '../protocol/sign.ts'
import { WORKFLOW_STEP_TYPE } from '../protocol/workflow-request.ts'
import type { Step } from './agent-context.ts'
import type { AgentKey } from './agent-key.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import type { ClientIdentity } from './client-authentication.ts'
import { newJti } from './new-jti.ts'
import type { IntentToken } from './token-cache.ts'

export type Minting = {
  readonly issuer: string
  readonly server: AuthorizationServer
  readonly client: ClientIdentity
  readonly agent_id: string
  /** What the agent is made of at this moment. */
  readonly components: () => Promise<ChecksumComponents>
  readonly key: () => Promise<AgentKey>
  /** Epoch seconds. */
  readonly seconds: () => number
}

export type Wanted = { readonly resource: string; readonly scope: readonly string[]; readonly step: Step | undefined }

const answerSchema = z.object({ access_token: z.string(), execution_id: z.string().optional() })

/** One intent token (protocol.md section 6). Throws what the server refuses. */
export async function mintToken(minting: Minting, wanted: Wanted): Promise<IntentToken> {
  const { step } = wanted
  const mint = async (execution_id?: string) => await mintOnce(minting, wanted, execution_id)
  return await (step?.workflow ? step.workflow.execution.mint(mint) : mint())
}

async function mintOnce(minting: Minting, wanted: Wanted, execution_id?: string): Promise<IntentToken> {
  const { issuer, client, agent_id, seconds } = minting
  const { holder, jkt, statement } = await minting.key()
  const computed_checksum = agentChecksum(await minting.components())
  const answer = await minting.server.mint(async (url, nonce) => {
    const iat = seconds()
    const key_statement = await statement(issuer, iat)
    const authentication = await client.authenticate(issuer, iat)
    const body = JSON.stringify({
      grant_type: AGENT_GRANT,
      agent_id,
      computed_checksum,
      requested_scopes: [...wanted.scope],
      audience: wanted.resource,
      ...stepMembers(wanted.step, execution_id),
      ...(key_statement !== undefined && { key_statement }),
      ...authentication.body,
    })
    const bd = sha256Base64url(body)
    const proof = { htm: 'POST', htu: url, iat, jti: newJti(), bd, ...(nonce !== undefined && { nonce }) }
    return { dpop: await signDpopProof(holder, proof), body, headers: authentication.headers }
  })
  return await readToken(answer, { ...wanted, issuer, client_id: client.client_id, agent_id, jkt, now: seconds() })
}

function stepMembers(step: Step | undefined, execution_id: string | undefined): JsonObject {
  const { workflow, delegation, subject_token } = step ?? {}
  const named = workflow && {
    workflow_id: workflow.execution.workflow_id,
    workflow_step: workflow.workflow_step,
    ...(execution_id !== undefined && { execution_id }),
  }
  const detail = step?.arguments && { type: WORKFLOW_STEP_TYPE, ...named, arguments: step.arguments }
  return {
    ...(detail ? { authorization_details: [detail] } : named),
    ...(delegation && { delegation_assertion: delegation.assertion }),
    ...(subject_token && { subject_token: subject_token.token, subject_token_type: subject_token.type }),
  }
}

type Expected = Wanted &
  Readonly<Record<'issuer' | 'client_id' | 'agent_id' | 'jkt', string>> & { readonly now: number }

/** What came must be the token that was asked for: a shim does not carry somebody else's. */
async function readToken(answer: unknown, expected: Expected): Promise<IntentToken> {
  const read = answerSchema.safeParse(answer)
  const claims = read.success ? readClaims(read.data.access_token) : undefined
  const isMine =
    claims !== undefined &&
    claims.iss === expected.issuer &&
    claims.aud === expected.resource &&
    claims.client_id === expected.client_id &&
    claims.intent?.executed_by === expected.agent_id &&
    claims.exp > expected.now &&
    (await boundTo(claims)) === expected.jkt
  const scope = claims && splitScope(claims.scope)
  if (!read.success || !isMine || !scope?.every(token => expected.scope.includes(token))) {
    throw new OAuthError('server_error', 'The server answered with a token that is not the one asked for.', {
      reason: 'another_token',
    })
  }
  const { access_token, execution_id } = read.data
  const { jti, iat, exp } = claims
  return { access_token, jti, iat, exp, scope, ...(execution_id !== undefined && { execution_id }) }
}

function readClaims(access_token: string): AccessTokenClaims | undefined {
  try {
    return accessTokenClaimsSchema.safeParse(decodeJwt(access_token)).data
  } catch {
    return undefined
  }
}

async function boundTo({ cnf }: AccessTokenClaims): Promise<string | undefined> {
  if (cnf === undefined) return undefined
  return 'jkt' in cnf ? cnf.jkt : await thumbprintOf(cnf.jwk)
}

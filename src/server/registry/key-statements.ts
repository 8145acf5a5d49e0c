import { DPOP_ALGS } from '../../protocol/dpop.ts'
import { importPublicJwk } from '../../protocol/jwk.ts'
import {
  claimedSigner,
  type KeyStatement,
  type StatementSigner,
  statementRefused,
  verifyKeyStatement,
} from '../../protocol/key-statement.ts'
import { agentSubject } from '../../protocol/names.ts'
import { epochSeconds, KEY_STATEMENT_MAX_LIFETIME, KEY_STATEMENT_ONCE_MAX_LIFETIME } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import { findAgentKeys } from '../store/agent-keys.ts'
import type { Agent } from '../store/agents.ts'
import type { Client } from '../store/clients.ts'
import { claimReplays } from '../store/replay.ts'
import { type ClientKey, clientKeys, fetchKeysAhead, keptClientKeys } from './client-keys.ts'
import type { SentKey } from './sent-keys.ts'

type Endorser = { readonly client: Client; readonly agent_id: string }

/**
 * The statement of a token request, good for many of them (protocol.md section 4): its signer is current now. Reads
 * only. Throws `invalid_dpop_proof` (`agent_key_mismatch`).
 */
export async function readKeyStatement(ctx: Context, of: Endorser, statement: string): Promise<KeyStatement> {
  return await verify(ctx, of, statement, { maxLifetime: KEY_STATEMENT_MAX_LIFETIME, keysOf: clientKeys })
}

/** Fetches the key of the client that a statement claims to be signed with, before `statedKeys` looks at it. */
export async function fetchSignerAhead(ctx: Context, client_id: string, statement: string): Promise<void> {
  const { iss, kid } = claimedSigner(statement) ?? {}
  if (iss === client_id && kid !== undefined) await fetchKeysAhead(ctx, client_id, kid)
}

type Vouched = { readonly client: Client; readonly agent: Pick<Agent, 'agent_id' | 'status'> }

/**
 * Which of the keys sent to registration somebody who may vouch for this agent vouches for: they need no approval.
 * None without a statement; a statement is taken once. Inside `act`, with the agent's row locked, and so after
 * `fetchSignerAhead`: it fetches nothing.
 * Throws `invalid_dpop_proof` (`agent_key_mismatch`), 401 at these routes.
 */
export async function statedKeys(
  tx: Context,
  of: Vouched,
  statement: string | undefined,
  keys: readonly SentKey[],
): Promise<ReadonlySet<string>> {
  if (statement === undefined) return new Set()
  const { jkt, jti, exp, signer } = await vouch(tx, of, statement, keys, keptClientKeys)
  const claim = { kind: 'key_statement', owner: signer.jkt, jti, expires_at: new Date(exp * 1000) } as const
  if ((await claimReplays(tx, [claim])).length > 0) throw statementRefused('statement_replayed')
  return new Set([jkt])
}

/** `statedKeys` for a preview: takes nothing, so that the statement is still good for registering; fetches nothing either. */
export async function previewStatedKeys(
  ctx: Context,
  of: Vouched,
  statement: string | undefined,
  keys: readonly SentKey[],
): Promise<ReadonlySet<string>> {
  return new Set(statement === undefined ? [] : [(await vouch(ctx, of, statement, keys, keptClientKeys)).jkt])
}

type KeysOf = (ctx: Context, client: Client, kid: string) => Promise<readonly ClientKey[]>

async function vouch(
  ctx: Context,
  { client, agent }: Vouched,
  statement: string,
  keys: readonly SentKey[],
  keysOf: KeysOf,
): Promise<KeyStatement> {
  // What was suspended is suspected: its keys vouch for nobody.
  if (agent.status !== 'active') throw statementRefused('agent_not_active')
  const of = { client, agent_id: agent.agent_id }
  const stated = await verify(ctx, of, statement, { maxLifetime: KEY_STATEMENT_ONCE_MAX_LIFETIME, keysOf })
  if (!keys.some(key => key.jkt === stated.jkt)) throw statementRefused('statement_jkt')
  return stated
}

async function verify(
  ctx: Context,
  { client, agent_id }: Endorser,
  statement: string,
  { maxLifetime, keysOf }: { maxLifetime: number; keysOf: KeysOf },
): Promise<KeyStatement> {
  const sub = agentSubject(client.client_id, agent_id)
  return await verifyKeyStatement(statement, {
    issuer: ctx.config.issuer,
    sub,
    now: epochSeconds(ctx.now()),
    notBefore: ctx.notBefore,
    maxLifetime,
    async signers(iss, kid) {
      if (iss === sub) return await agentSigners(ctx, client.client_id, agent_id)
      const mayEndorse = iss === client.client_id && client.policies.agent_keys === 'endorsed'
      return mayEndorse ? (await keysOf(ctx, client, kid)).map(key => ({ ...key, by: 'client' as const })) : []
    },
  })
}

/** Registered keys only: an endorsed key vouches for nobody. They sign what they may sign proofs with. */
async function agentSigners(ctx: Context, client_id: string, agent_id: string): Promise<readonly StatementSigner[]> {
  const held = await findAgentKeys(ctx, client_id, agent_id)
  const keys = await Promise.all(held.map(key => importPublicJwk({ ...key.jwk })))
  return keys.map(key => ({ ...key, algs: key.algs.filter(alg => isProofAlg(alg)), by: 'agent' as const }))
}

function isProofAlg(alg: string): boolean {
  return DPOP_ALGS.some(known => known === alg)
}

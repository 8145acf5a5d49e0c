import { isWithin } from '../protocol/access.ts'
import type { AccessTokenClaims } from '../protocol/claims.ts'
import { type Delegation, MAX_PROOFS, verifyDelegation } from '../protocol/delegation.ts'
import { equalConstantTime } from '../protocol/digest.ts'
import { OAuthError } from '../protocol/errors.ts'
import { importPublicJwk } from '../protocol/jwk.ts'
import { agentSubject, bareId, parseSubjectName } from '../protocol/names.ts'
import { chainCommitment, sequenceHash } from '../protocol/sequence-hash.ts'
import { epochSeconds } from '../protocol/time.ts'

/** Thumbprints of the keys that are registered for an agent; `jkt` is the one that is looked for. */
export type RootKeys = (
  client_id: string,
  agent_id: string,
  jkt: string,
) => Promise<readonly string[]> | readonly string[]

export type ProofOptions = {
  readonly issuer: string
  /** From configuration, or `remoteAgentKeys`. */
  readonly rootKeys: RootKeys
  readonly now?: () => Date
}

export type ProvenChain = {
  readonly ok: true
  /** Subject names, root first, the executing agent last. */
  readonly chain: readonly string[]
  /** Whether the key at its root is registered for that agent: else nobody but the issuer says whose chain it is. */
  readonly anchored: boolean
}

/** What the chain must end in: the executing agent, its key, its step. */
type End = {
  readonly client_id: string
  readonly self: string
  readonly jkt: string
  readonly step: string | undefined
  /** Whether that key is registered for the agent: the issuer's word, in a token that is verified. */
  readonly isRegistered: boolean
}

/**
 * The chain of a verified token by the signatures of its own agents, at most 3, and not by the issuer's word
 * (protocol.md section 6, Offline). A token that nobody delegated has the chain of its one agent. Throws
 * `invalid_token`; what `rootKeys` throws goes on.
 */
export async function verifyDelegationProofs(claims: AccessTokenClaims, options: ProofOptions): Promise<ProvenChain> {
  const end = await asTokenError(() => endOf(claims))
  const hops = await asTokenError(() => readHops(claims.delegation_proofs ?? [], options.issuer))
  const now = epochSeconds(options.now?.() ?? new Date())
  checkLinks(hops, end, now)
  checkExecution(hops, claims)
  checkLimits(hops, claims, end)
  const root = hops[0]?.iss ?? end.self
  const chain = [root, ...hops.map(hop => hop.sub)]
  checkNames(chain, claims, end)
  const rootKey = hops[0]?.signer.jkt ?? end.jkt
  const keys = await options.rootKeys(end.client_id, bareId(root), rootKey)
  return { ok: true, chain, anchored: keys.some(jkt => equalConstantTime(jkt, rootKey)) }
}

async function endOf({ client_id, intent, cnf, agent_proof }: AccessTokenClaims): Promise<End> {
  if (!intent || !cnf) throw refusal('proofs_without_agent')
  const jkt = 'jkt' in cnf ? cnf.jkt : (await importPublicJwk(cnf.jwk)).jkt
  const isRegistered = agent_proof?.key === 'registered'
  return { client_id, self: agentSubject(client_id, intent.executed_by), jkt, step: intent.workflow_step, isRegistered }
}

async function readHops(proofs: readonly string[], issuer: string): Promise<readonly Delegation[]> {
  if (proofs.length > MAX_PROOFS) throw refusal('proofs_too_many')
  const hops: Delegation[] = []
  for (const proof of proofs) hops.push(await verifyDelegation(proof, issuer))
  return hops
}

/**
 * Each hop is signed by the one before, knows it, and does not outlive it; the last is of who shows the token, by a
 * registered key.
 */
function checkLinks(hops: readonly Delegation[], end: End, now: number): void {
  let before: Delegation | undefined
  for (const hop of hops) {
    if (hop.prev !== before?.digest) throw refusal('proofs_prev')
    if (before && hop.iss !== before.sub) throw refusal('proofs_iss')
    if (before && !equalConstantTime(hop.signer.jkt, before.jkt)) throw refusal('proofs_key')
    if (before && hop.exp > before.exp) throw refusal('proofs_outlive')
    if (hop.exp <= now) throw refusal('proofs_stale')
    before = hop
  }
  if (!before) return
  if (before.sub !== end.self) throw refusal('proofs_end')
  if (!equalConstantTime(before.jkt, end.jkt)) throw refusal('proofs_key')
  if (!end.isRegistered) throw refusal('proofs_end_key')
}

function checkExecution(hops: readonly Delegation[], { intent }: AccessTokenClaims): void {
  if (hops.some(hop => hop.execution_id !== intent?.execution_id)) throw refusal('proofs_execution')
}

/**
 * Scope, audience and expiry lie within the last hop's and within those of every earlier hop of the same step. A hop
 * that names no step has that of the hop before; where none before names one it is unknown, and its limits hold.
 */
function checkLimits(hops: readonly Delegation[], claims: AccessTokenClaims, end: End): void {
  const token = [{ resource: claims.aud, scope: claims.scope }]
  let step: string | undefined
  for (const [index, hop] of hops.entries()) {
    step = hop.workflow_step ?? step
    const isLast = index === hops.length - 1
    if (isLast && step !== undefined && step !== end.step) throw refusal('proofs_step')
    if (!isLast && step !== undefined && step !== end.step) continue
    const [resource] = hop.resource
    if (!isWithin(token, [{ resource, scope: hop.scope }])) throw refusal('proofs_scope')
    if (claims.exp > hop.exp) throw refusal('proofs_outlive')
  }
}

/** The agents are of the token's client, each once, and everything that the token says of its chain is this chain. */
function checkNames(chain: readonly string[], claims: AccessTokenClaims, { client_id }: End): void {
  const agents = chain.map(name => parseSubjectName(name))
  const isOfClient = agents.every(agent => agent?.kind === 'agent' && agent.client_id === client_id)
  if (!isOfClient || new Set(chain).size < chain.length) throw refusal('proofs_agents')
  const { delegation_chain, chain_commitment } = claims.intent ?? {}
  if (chain_commitment !== chainCommitment(chain)) throw refusal('proofs_chain')
  // Of a token without a delegation it may be the caller's word (section 6, asserted).
  if (chain.length > 1 && delegation_chain !== sequenceHash(chain.map(bareId))) throw refusal('proofs_chain')
  const isAgents = parseSubjectName(claims.sub)?.kind === 'agent'
  if (isAgents && claims.sub !== chain[0]) throw refusal('proofs_chain')
  const actors = chain.toReversed()
  let index = 0
  for (let act: unknown = claims.act; act !== undefined; act = actOf(act)) {
    if (subOf(act) !== actors[index]) throw refusal('proofs_chain')
    index += 1
  }
}

function subOf(act: unknown): unknown {
  return typeof act === 'object' && act !== null && 'sub' in act ? act.sub : null
}

function actOf(act: unknown): unknown {
  return typeof act === 'object' && act !== null && 'act' in act ? act.act : undefined
}

/** One code for whatever is wrong with the token; the reason stays. */
async function asTokenError<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (cause) {
    if (!(cause instanceof OAuthError) || cause.code === 'invalid_token') throw cause
    throw refusal(cause.reason, cause)
  }
}

function refusal(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_token', 'The delegation of the access token is not proven.', { reason, cause })
}

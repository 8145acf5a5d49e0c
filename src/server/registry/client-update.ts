import { grants } from '../../protocol/access.ts'
import { type ClientUpdate, policiesSchema } from '../../protocol/client.ts'
import { CLIENT_CREDENTIALS_GRANT } from '../../protocol/grant-types.ts'
import { canonicalJson } from '../../protocol/jcs.ts'
import { parseJwks } from '../../protocol/jwk.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { type Client, updateClient } from '../store/clients.ts'
import { endSessionsOfClients } from '../store/console-sessions.ts'
import { hasOpenExecutions } from '../store/execution-ends.ts'
import type { Outcome } from './act.ts'
import {
  checkAccess,
  checkApprovalPolicy,
  checkMayActAs,
  checkRegistersFor,
  checkWeakening,
  clientToChange,
} from './client-checks.ts'
import { clientJwks } from './client-keys.ts'
import { type ClientChanged, viewOf } from './client-view.ts'
import { endTokensOf } from './ended-tokens.ts'
import { checkOtherOwner } from './four-eyes.ts'
import { noteAdministrators } from './only-administrator.ts'
import { checkNewOwner } from './owners.ts'
import { checkHandover, checkLowering, gainers } from './policy-lowering.ts'
import { keepAnAdministrator } from './revocation-subjects.ts'

/**
 * Changes the members that the body names (protocol.md section 11), inside `act`; a change of access, grants or keys
 * behind the exclusive gate, so that two administrators cannot make each other the last one, and no token outlives the
 * key that was taken away. `keysProblem` is what `tryJwksUri` found. Throws Problem `not_found`, `conflict`, `invalid_request`, `invalid_client_metadata`, `forbidden`.
 */
export async function changeClient(
  tx: Context,
  caller: Caller,
  client_id: string,
  update: ClientUpdate,
  keysProblem?: Problem,
): Promise<Outcome<ClientChanged>> {
  const client = await clientToChange(tx, client_id)
  const next = await changed(tx, client, update)
  await checkChange(tx, caller, client, next, keysProblem)
  const changes = await changesBetween(client, next)
  const isChanged = Object.keys(changes).length > 0
  const row = isChanged ? { ...next, updated_at: tx.now() } : client
  if (update.access !== undefined) await noteAdministrators(tx)
  if (isChanged) await updateClient(tx, row)
  if (update.access !== undefined) await noteAdministrators(tx)
  if (row.owner !== client.owner) await endSessionsOfClients(tx, [client_id], tx.now())
  const ended = (await losesKeys(client, row)) ? { ended_tokens: await endTokensOf(tx, caller, [client_id]) } : {}
  const body = { ...(await viewOf(tx, row)), ...ended }
  return { status: 200, body, audit: { details: { changed: changes, ...ended } } }
}

/** Keys that are only added take nothing from anybody; what stood behind another `jwks_uri` counts as lost. */
async function losesKeys(before: Client, after: Client): Promise<boolean> {
  if (before.jwks === null) return before.jwks_uri !== after.jwks_uri
  const kept = await thumbprints(after)
  return !(await thumbprints(before))?.every(jkt => kept?.includes(jkt))
}

async function changed(tx: Context, client: Client, body: ClientUpdate): Promise<Client> {
  const { client_name, owner, grant_types, access, registers_for, policies, jwks, jwks_uri } = body
  return {
    ...client,
    ...(client_name !== undefined && { client_name }),
    ...(owner !== undefined && { owner }),
    ...(grant_types !== undefined && { grant_types: [...new Set(grant_types)] }),
    ...(access !== undefined && { access }),
    ...(registers_for !== undefined && { registers_for: [...new Set(registers_for)] }),
    ...(policies !== undefined && { policies: changedPolicies(client, policies) }),
    ...(jwks !== undefined && { jwks: await clientJwks(tx, jwks), jwks_uri: null }),
    ...(jwks_uri !== undefined && { jwks: null, jwks_uri }),
  }
}

function changedPolicies({ policies: held }: Client, sent: NonNullable<ClientUpdate['policies']>): Client['policies'] {
  return policiesSchema.parse({ ...held, ...sent, limits: { ...held.limits, ...sent.limits } })
}

async function checkChange(
  tx: Context,
  caller: Caller,
  client: Client,
  next: Client,
  keysProblem: Problem | undefined,
): Promise<void> {
  const { adminAudience } = tx.config
  await checkAccess(tx, caller, next.access, client.access)
  await checkRegistersFor(tx, next.registers_for, client.registers_for)
  checkApprovalPolicy(tx, next)
  checkWeakening(tx, caller, client, next)
  await checkLowering(tx, caller, client, next)
  if (client.policies.workflow_state === 'recorded' && next.policies.workflow_state === 'asserted') {
    await checkMayAssert(tx, caller, client)
  }
  if (next.owner !== client.owner) {
    await checkNewOwner(tx, caller, next.owner)
    await checkHandover(tx, caller, client)
  }
  if (next.jwks !== client.jwks || next.jwks_uri !== client.jwks_uri) {
    checkMayActAs(tx, caller, client)
    if (client.token_endpoint_auth_method !== 'private_key_jwt') {
      throw new Problem('invalid_request', 'This client has a secret; keys go with private_key_jwt only.', 'no_keys')
    }
    if (keysProblem) throw keysProblem
  }
  const administers = ({ access, grant_types }: Client) =>
    grants(access, adminAudience, 'admin:clients') && grant_types.includes(CLIENT_CREDENTIALS_GRANT)
  if (administers(client) && !administers(next)) await keepAnAdministrator(tx, client.client_id)
}

/**
 * From then on the client's word counts for its steps: that lifts every gate, and is not for its own owner to decide, nor
 * while executions run by the record. Throws Problem `forbidden`, `conflict`.
 */
async function checkMayAssert(tx: Context, caller: Caller, client: Client): Promise<void> {
  const { client_id } = client
  await checkOtherOwner(tx, caller, await gainers(tx, client), {
    detail:
      'Somebody else must let a client vouch for its own steps: the acting owner owns it, or one that registers for it.',
    reason: 'own_client_asserted',
  })
  if (!(await hasOpenExecutions(tx, { client_id }, tx.now()))) return
  throw new Problem(
    'conflict',
    'The client has open executions; revoke them or wait until they end.',
    'open_executions',
  )
}

const MEMBERS = ['client_name', 'owner', 'grant_types', 'access', 'registers_for', 'jwks_uri'] as const
type Change = { readonly before: unknown; readonly after: unknown }

/** What changed, for the audit: values before and after, keys as their thumbprints, of the policies those that differ. */
async function changesBetween(before: Client, after: Client): Promise<Readonly<Record<string, Change>>> {
  const policies = Object.keys(policiesSchema.shape)
  const pairs: readonly (readonly [string, Change])[] = [
    ...MEMBERS.map(name => [name, { before: before[name], after: after[name] }] as const),
    ['jwks', { before: await thumbprints(before), after: await thumbprints(after) }],
    ...policies.map(
      name => [`policies.${name}`, { before: policyOf(before, name), after: policyOf(after, name) }] as const,
    ),
  ]
  return Object.fromEntries(pairs.filter(([, change]) => canonicalJson(change.before) !== canonicalJson(change.after)))
}

function policyOf({ policies }: Client, name: string): unknown {
  return Object.entries(policies).find(([policy]) => policy === name)?.[1] ?? null
}

async function thumbprints({ jwks }: Client): Promise<readonly string[] | null> {
  return jwks === null ? null : (await parseJwks(jwks)).map(key => key.jkt)
}

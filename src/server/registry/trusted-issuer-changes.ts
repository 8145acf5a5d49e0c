import { canonicalJson } from '../../protocol/jcs.ts'
import { parseJwks } from '../../protocol/jwk.ts'
import { Problem } from '../../protocol/problem.ts'
import type { TrustedIssuerDeleted, TrustedIssuerUpdate, TrustedIssuerView } from '../../protocol/trusted-issuer.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { lockTrustedIssuer, type TrustedIssuer, updateTrustedIssuer } from '../store/trusted-issuers.ts'
import type { Outcome } from './act.ts'
import { clientJwks } from './client-keys.ts'
import { noteAdministratorsBy } from './only-administrator.ts'
import { checkTrustedIssuer, givenAccess } from './trusted-issuer-checks.ts'
import { issuerView } from './trusted-issuer-view.ts'
import { unknownIssuer } from './trusted-issuers.ts'

/**
 * Changes the members that the body names, inside `act` with the exclusive gate as its `before`; the record as it would
 * stand keeps every rule of a new one. `keysProblem` is what `tryIssuerKeys` found. Throws Problem `not_found`,
 * `conflict`, `invalid_request`, `forbidden`.
 */
export async function changeTrustedIssuer(
  tx: Context,
  caller: Caller,
  name: string,
  update: TrustedIssuerUpdate,
  keysProblem?: Problem,
): Promise<Outcome<TrustedIssuerView>> {
  if (keysProblem) throw keysProblem
  const held = await issuerToChange(tx, name)
  const next = await changed(tx, held, update)
  await checkTrustedIssuer(tx, caller, next, held)
  const changes = await changesBetween(held, next)
  const isChanged = Object.keys(changes).length > 0
  const row = isChanged ? { ...next, updated_at: tx.now() } : held
  if (isChanged) await updateTrustedIssuer(tx, row)
  await noteAdministratorsBy(tx, givenAccess(row))
  return { status: 200, body: issuerView(row), audit: { details: { name, changed: changes } } }
}

const TOKENS_END = 'Tokens and console sessions that it led to open nothing any more.'
const EXECUTIONS_GO_ON = 'Executions that its people started go on until they end: revoke them, or their initiators.'

/**
 * Ends the trust for good (protocol.md section 9), inside `act` with the exclusive gate as its `before`: no exchange that
 * begins after the answer finds it, and its name is never given out again. Throws Problem `not_found`, `conflict`.
 */
export async function deleteTrustedIssuer(
  tx: Context,
  name: string,
  reason: string,
): Promise<Outcome<TrustedIssuerDeleted>> {
  const held = await issuerToChange(tx, name)
  const row: TrustedIssuer = { ...held, status: 'deleted', updated_at: tx.now() }
  await updateTrustedIssuer(tx, row)
  const note = held.purpose === 'user' ? EXECUTIONS_GO_ON : TOKENS_END
  return { status: 200, body: { ...issuerView(row), note }, audit: { details: { name, reason, issuer: row.issuer } } }
}

async function issuerToChange(tx: Context, name: string): Promise<TrustedIssuer> {
  const row = await lockTrustedIssuer(tx, name)
  if (!row) throw unknownIssuer()
  if (row.status === 'active') return row
  throw new Problem('conflict', 'This trusted issuer was deleted; create another.', 'issuer_deleted')
}

async function changed(tx: Context, held: TrustedIssuer, update: TrustedIssuerUpdate): Promise<TrustedIssuer> {
  const { jwks, jwks_uri } = update
  return {
    ...held,
    audience: update.audience ?? held.audience,
    algs: update.algs ?? held.algs,
    typs: update.typs ?? held.typs,
    typ_may_be_absent: update.typ_may_be_absent ?? held.typ_may_be_absent,
    clients: [...new Set(update.clients ?? held.clients)],
    max_age: update.max_age ?? held.max_age,
    claims: update.claims ?? held.claims,
    acr_values: update.acr_values ?? held.acr_values,
    access: update.access === undefined ? held.access : update.access,
    access_by_claim: update.access_by_claim ?? held.access_by_claim,
    ...(jwks !== undefined && { jwks: await clientJwks(tx, jwks), jwks_uri: null }),
    ...(jwks_uri !== undefined && { jwks: null, jwks_uri }),
  }
}

const MEMBERS = [
  'audience',
  'jwks_uri',
  'algs',
  'typs',
  'typ_may_be_absent',
  'clients',
  'max_age',
  'claims',
  'acr_values',
  'access',
  'access_by_claim',
] as const
type Change = { readonly before: unknown; readonly after: unknown }

/** What changed, for the audit: values before and after, keys as their thumbprints. */
async function changesBetween(before: TrustedIssuer, after: TrustedIssuer): Promise<Readonly<Record<string, Change>>> {
  const pairs: readonly (readonly [string, Change])[] = [
    ...MEMBERS.map(name => [name, { before: before[name], after: after[name] }] as const),
    ['jwks', { before: await thumbprints(before), after: await thumbprints(after) }],
  ]
  return Object.fromEntries(pairs.filter(([, change]) => canonicalJson(change.before) !== canonicalJson(change.after)))
}

async function thumbprints({ jwks }: TrustedIssuer): Promise<readonly string[] | null> {
  return jwks === null ? null : (await parseJwks(jwks)).map(key => key.jkt)
}

import { Problem } from '../../protocol/problem.ts'
import type { IssuerPurpose, TrustedIssuerCreate, TrustedIssuerView } from '../../protocol/trusted-issuer.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import {
  findTrustedIssuer,
  insertTrustedIssuer,
  listTrustedIssuers,
  type TrustedIssuer,
} from '../store/trusted-issuers.ts'
import type { Outcome } from './act.ts'
import { clientJwks } from './client-keys.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { noteAdministratorsBy } from './only-administrator.ts'
import { checkTrustedIssuer, givenAccess } from './trusted-issuer-checks.ts'
import { issuerView } from './trusted-issuer-view.ts'

/**
 * Trusts an issuer for one purpose (protocol.md section 6), inside `act`. `keysProblem` is what `tryIssuerKeys` found.
 * Throws Problem `invalid_request`, `forbidden`, `conflict` for a name that was ever given out; `invalid_request` for a
 * weak key.
 */
export async function createTrustedIssuer(
  tx: Context,
  caller: Caller,
  body: TrustedIssuerCreate,
  keysProblem?: Problem,
): Promise<Outcome<TrustedIssuerView>> {
  if (keysProblem) throw keysProblem
  const row: TrustedIssuer = {
    ...body,
    jwks: body.jwks === undefined ? null : await clientJwks(tx, body.jwks),
    jwks_uri: body.jwks_uri ?? null,
    clients: [...new Set(body.clients)],
    access: body.access ?? null,
    status: 'active',
    created_at: tx.now(),
    created_by: caller.sub,
    updated_at: null,
  }
  await checkTrustedIssuer(tx, caller, row)
  if (!(await insertTrustedIssuer(tx, row))) {
    throw new Problem('conflict', 'This name was given out before; choose another.', 'issuer_name_taken')
  }
  await noteAdministratorsBy(tx, givenAccess(row))
  const { name, issuer, purpose } = row
  return { status: 201, body: issuerView(row), audit: { details: { name, issuer, purpose } } }
}

/** A deleted record shows too, as what is left of it. Throws Problem `not_found`. */
export async function getTrustedIssuer(ctx: Context, name: string): Promise<TrustedIssuerView> {
  const row = await findTrustedIssuer(ctx, name)
  if (!row) throw unknownIssuer()
  return issuerView(row)
}

type Filter = { readonly purpose?: IssuerPurpose | undefined; readonly status?: TrustedIssuer['status'] | undefined }

/** Deleted records only where `status` asks for them. */
export async function getTrustedIssuers(
  ctx: Context,
  page: Filter & { cursor?: string; limit: number },
): Promise<Page<TrustedIssuerView>> {
  const { cursorKey } = ctx.keys
  const { cursor, limit, purpose, status } = page
  const after = cursor === undefined ? {} : { after: decodeCursor(cursorKey, 'trusted_issuers', cursor) }
  const rows = await listTrustedIssuers(ctx, { ...after, purpose, status, limit: limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, 'trusted_issuers', rows, limit, row => row.name)
  return { items: items.map(issuerView), next_cursor }
}

/** Problem `not_found`. */
export function unknownIssuer(): Problem {
  return new Problem('not_found', 'There is no trusted issuer of this name; "remit issuer list" shows those there are.')
}

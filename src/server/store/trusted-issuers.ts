import { type Selectable, sql } from 'kysely'
import type { IssuerPurpose } from '../../protocol/trusted-issuer.ts'
import type { Context } from '../context.ts'
import type { TrustedIssuerTable } from './schema-execution.ts'

export type TrustedIssuer = Selectable<TrustedIssuerTable>

const COLUMNS = [
  'name',
  'issuer',
  'purpose',
  'audience',
  'jwks',
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
  'status',
  'created_at',
  'created_by',
  'updated_at',
] as const

/** One record, deleted ones too (primary key). */
export async function findTrustedIssuer(ctx: Context, name: string): Promise<TrustedIssuer | undefined> {
  return await ctx.db.selectFrom('trusted_issuer').select(COLUMNS).where('name', '=', name).executeTakeFirst()
}

/** One record, held until the transaction ends (primary key). */
export async function lockTrustedIssuer(tx: Context, name: string): Promise<TrustedIssuer | undefined> {
  const query = tx.db.selectFrom('trusted_issuer').select(COLUMNS).where('name', '=', name).forUpdate()
  return await query.executeTakeFirst()
}

/**
 * The active records of one issuer that let this client present its tokens (index trusted_issuer_by_issuer), with the
 * version of the row (store/standing.ts).
 */
export async function findIssuersFor(
  ctx: Context,
  asked: { issuer: string; client_id: string; purposes: readonly IssuerPurpose[]; limit: number },
): Promise<readonly (TrustedIssuer & { readonly row_version: string })[]> {
  const { issuer, client_id, purposes, limit } = asked
  if (purposes.length === 0) return []
  return await ctx.db
    .selectFrom('trusted_issuer')
    .select([...COLUMNS, sql<string>`trusted_issuer.xmin::text`.as('row_version')])
    .where('issuer', '=', issuer)
    .where('status', '=', 'active')
    .where('purpose', 'in', purposes)
    .where(sql<boolean>`clients @> ${JSON.stringify([client_id])}::jsonb`)
    .orderBy('name')
    .limit(limit)
    .execute()
}

/** Whose people these records name, those of deleted ones too: a name is never given out again (primary key). */
export async function findIssuerUrls(
  ctx: Context,
  names: readonly string[],
): Promise<readonly Pick<TrustedIssuer, 'name' | 'issuer'>[]> {
  if (names.length === 0) return []
  return await ctx.db
    .selectFrom('trusted_issuer')
    .select(['name', 'issuer'])
    .where('name', 'in', names)
    .orderBy('name')
    .limit(names.length)
    .execute()
}

/** Records in the order of their names, those after `after`; deleted ones only where asked for (primary key). */
export async function listTrustedIssuers(
  ctx: Context,
  page: { after?: string; limit: number; purpose?: IssuerPurpose | undefined; status?: TrustedIssuer['status'] },
): Promise<readonly TrustedIssuer[]> {
  const { after, limit, purpose, status = 'active' } = page
  let query = ctx.db.selectFrom('trusted_issuer').select(COLUMNS).where('status', '=', status)
  if (purpose !== undefined) query = query.where('purpose', '=', purpose)
  if (after !== undefined) query = query.where('name', '>', after)
  return await query.orderBy('name').limit(limit).execute()
}

/** @returns false where the name was given out before (protocol.md section 9) */
export async function insertTrustedIssuer(tx: Context, row: TrustedIssuer): Promise<boolean> {
  const inserted = await tx.db
    .insertInto('trusted_issuer')
    .values({ ...row, ...jsonOf(row) })
    .onConflict(conflict => conflict.doNothing())
    .returning('name')
    .executeTakeFirst()
  return inserted !== undefined
}

/** Writes what may change of a record; the row is locked before. */
export async function updateTrustedIssuer(tx: Context, row: TrustedIssuer): Promise<void> {
  const { audience, jwks_uri, typ_may_be_absent, max_age, status, updated_at } = row
  await tx.db
    .updateTable('trusted_issuer')
    .set({ audience, jwks_uri, typ_may_be_absent, max_age, status, updated_at, ...jsonOf(row) })
    .where('name', '=', row.name)
    .execute()
}

function jsonOf({ jwks, algs, typs, clients, claims, acr_values, access, access_by_claim }: TrustedIssuer) {
  return {
    jwks: jwks === null ? null : JSON.stringify(jwks),
    algs: JSON.stringify(algs),
    typs: JSON.stringify(typs),
    clients: JSON.stringify(clients),
    claims: JSON.stringify(claims),
    acr_values: JSON.stringify(acr_values),
    access: access === null ? null : JSON.stringify(access),
    access_by_claim: JSON.stringify(access_by_claim),
  }
}

import type { TrustedIssuerView } from '../../protocol/trusted-issuer.ts'
import type { TrustedIssuer } from '../store/trusted-issuers.ts'

/** A trusted issuer as the admin API shows it. */
export function issuerView(row: TrustedIssuer): TrustedIssuerView {
  const { created_at, updated_at, access } = row
  return {
    ...row,
    algs: [...row.algs],
    typs: [...row.typs],
    clients: [...row.clients],
    claims: { ...row.claims },
    acr_values: [...row.acr_values],
    access: access && [...access],
    access_by_claim: [...row.access_by_claim],
    created_at: created_at.toISOString(),
    updated_at: updated_at?.toISOString() ?? null,
  }
}

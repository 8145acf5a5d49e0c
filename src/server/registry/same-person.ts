import { parseSubjectName } from '../../protocol/names.ts'
import type { Context } from '../context.ts'
import { findIssuerUrls } from '../store/trusted-issuers.ts'

/**
 * Whether two subject names are one person: equal, or users of two records of one issuer with the same `sub`
 * (protocol.md sections 4, 6 and 11). Records that were deleted count too.
 */
export async function samePerson(ctx: Context, a: string, b: string): Promise<boolean> {
  return await isAmong(ctx, a, [b])
}

/** Whether this person is one of these, as `samePerson`; null is nobody. */
export async function isAmong(ctx: Context, owner: string, others: readonly (string | null)[]): Promise<boolean> {
  if (others.includes(owner)) return true
  const self = userOf(owner)
  const candidates = others.map(userOf).filter(other => other !== undefined && other.sub === self?.sub)
  if (!self || candidates.length === 0) return false
  const names = [self, ...candidates].flatMap(user => user?.issuer ?? [])
  const urls = new Map((await findIssuerUrls(ctx, [...new Set(names)])).map(({ name, issuer }) => [name, issuer]))
  const issuer = urls.get(self.issuer)
  return issuer !== undefined && candidates.some(other => other && urls.get(other.issuer) === issuer)
}

function userOf(name: string | null): { readonly issuer: string; readonly sub: string } | undefined {
  const subject = name === null ? undefined : parseSubjectName(name)
  return subject?.kind === 'user' ? subject : undefined
}

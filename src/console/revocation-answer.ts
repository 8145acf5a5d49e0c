import type { RevocationAnswer } from '../protocol/revocation.ts'

/** What a revocation covered, in a sentence. */
export function saidOfRevocation(answer: RevocationAnswer): string {
  const { kind, id, live_tokens, live_tokens_at_least, final, note } = answer
  const tokens = `${live_tokens_at_least ? 'at least ' : ''}${live_tokens} live ${live_tokens === 1 ? 'token' : 'tokens'}`
  const end = final ? ' This is final.' : ''
  return `Revoked ${kind} ${id}: ${tokens} stopped.${end}${note === undefined ? '' : ` ${note}`}`
}

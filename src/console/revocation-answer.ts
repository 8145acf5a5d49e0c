import type { RevocationAnswer } from '../protocol/revocation.ts'

/** What a revocation covered, in a sentence. */
export function saidOfRevocation(answer: RevocationAnswer): string {
  const { kind, id, revoked, delegations, live_tokens, live_tokens_at_least, final, note } = answer
  const tokens = `${live_tokens_at_least ? 'at least ' : ''}${live_tokens} live ${live_tokens === 1 ? 'token' : 'tokens'}`
  const executions = (revoked.execution ?? 0) - (kind === 'execution' ? 1 : 0)
  const more = [
    ...(executions > 0 ? [`${executions} open ${executions === 1 ? 'execution' : 'executions'} ended`] : []),
    ...(delegations > 0 ? [`${delegations} ${delegations === 1 ? 'delegation' : 'delegations'} ended`] : []),
  ]
  const end = final ? ' This is final.' : ''
  return `Revoked ${kind} ${id}: ${[`${tokens} stopped`, ...more].join(', ')}.${end}${note === undefined ? '' : ` ${note}`}`
}

import type { Permitted } from './authorization.ts'

type Actor = { readonly sub: string; readonly sub_profile: 'ai_agent'; readonly act?: Actor }

/**
 * `act` of RFC 8693 section 4.1 by the table of protocol.md section 7: the executing agent, then those before it newest
 * first, down to the root, which is not repeated where it is the subject. Under `hash` the executing agent alone.
 */
export function actClaim({ agent, sub, target }: Permitted): Actor | undefined {
  const chain = agent?.chain ?? []
  const [self, ...earlier] = (chain[0] === sub ? chain.slice(1) : chain).toReversed()
  if (self === undefined) return undefined
  const shown = target.chain_disclosure === 'hash' ? [] : earlier
  return nested(self, shown)
}

function nested(sub: string, [next, ...earlier]: readonly string[]): Actor {
  return { sub, sub_profile: 'ai_agent', ...(next !== undefined && { act: nested(next, earlier) }) }
}

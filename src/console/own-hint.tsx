import type { ComponentChildren } from 'preact'
import { useSession } from './session.ts'

/**
 * Says beside a button that it is for somebody else, where whoever is signed in is one of `owners`. Only the server knows
 * who else is the same person and whether there is one administrator alone, so that the button stays and may refuse.
 */
export function OwnHint({
  owners,
  children,
}: {
  owners: readonly (string | undefined)[]
  children: ComponentChildren
}) {
  const { acting_owner } = useSession()
  if (!owners.includes(acting_owner)) return null
  return <small class="needs">for another owner, {children}</small>
}

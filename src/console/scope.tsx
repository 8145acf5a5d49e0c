import type { ComponentChildren } from 'preact'
import type { AdminScope } from '../protocol/own-resources.ts'
import { useHolds } from './session.ts'

/** A view that only holders of a scope may read. */
export function ForScope({ scope, children }: { scope: AdminScope; children: ComponentChildren }) {
  if (useHolds(scope)) return <>{children}</>
  return (
    <p class="note">
      This session does not have the scope <code>{scope}</code>. Somebody with <code>admin:clients</code> can give it to
      your client; then run <code>remit console</code> again.
    </p>
  )
}

/** A button that begins an act; without the scope it is off and says which is missing. */
export function ActButton({
  scope,
  kind = '',
  off = false,
  onClick,
  children,
}: {
  scope: AdminScope
  kind?: 'main' | 'danger' | ''
  off?: boolean
  onClick: () => void
  children: ComponentChildren
}) {
  const holds = useHolds(scope)
  return (
    <span class="act">
      <button type="button" class={kind} disabled={!holds || off} onClick={onClick}>
        {children}
      </button>
      {!holds && (
        <small class="needs">
          needs <code>{scope}</code>
        </small>
      )}
    </span>
  )
}

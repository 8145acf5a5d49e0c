/** A state in its own colour and its own word: colour alone says nothing. */
export function Badge({ state }: { state: string }) {
  return <span class={`badge is-${state}`}>{state}</span>
}

/** An id or digest, shortened where it is long; whole on hover and for copying. */
export function Id({ id, short = false }: { id: string; short?: boolean }) {
  if (!short || id.length <= 12) return <code class="id">{id}</code>
  return (
    <code class="id" title={id}>
      {id.slice(0, 10)}…
    </code>
  )
}

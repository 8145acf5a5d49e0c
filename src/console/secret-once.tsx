import { useEffect, useRef } from 'preact/hooks'
import { CopyButton } from './copy-button.tsx'

/** A secret that the server shows once; closed, it is gone from the page too. */
export function SecretOnce({ secret, onClose }: { secret: string; onClose: () => void }) {
  const note = useRef<HTMLElement>(null)
  useEffect(() => note.current?.focus(), [])
  return (
    <section ref={note} class="note wait" tabIndex={-1} aria-label="New secret">
      <p>
        <strong>The new secret.</strong> It is shown this once: put it where the client reads it, then close this.
      </p>
      <p class="command">
        <code class="command-line secret">{secret}</code>
        <CopyButton text={secret} />
        <button type="button" class="small" onClick={onClose}>
          Close
        </button>
      </p>
    </section>
  )
}

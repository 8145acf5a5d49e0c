import { useState } from 'preact/hooks'

/** Puts `text` on the clipboard. */
export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [said, setSaid] = useState('')
  async function copy(): Promise<void> {
    const done = await navigator.clipboard.writeText(text).then(
      () => 'Copied',
      () => 'Select it and copy by hand',
    )
    setSaid(done)
    setTimeout(() => setSaid(''), 2500)
  }
  return (
    <span class="copy">
      <button type="button" class="small" onClick={copy}>
        {label}
      </button>
      <small role="status">{said}</small>
    </span>
  )
}

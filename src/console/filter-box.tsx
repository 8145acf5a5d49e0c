import { useEffect, useRef } from 'preact/hooks'

export type FilterProps = {
  readonly value: string
  readonly label: string
  readonly onInput: (text: string) => void
}

/** The text by which a list is filtered; the key `/` goes there. */
export function FilterBox({ value, label, onInput }: FilterProps) {
  const box = useRef<HTMLInputElement>(null)
  useEffect(() => {
    function pressed(event: KeyboardEvent): void {
      const { target } = event
      const typing = target instanceof HTMLElement && target.closest('input, select, textarea, dialog')
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || typing) return
      event.preventDefault()
      box.current?.focus()
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [])
  return (
    <label class="filter">
      <span>{label}</span>
      <input
        ref={box}
        type="search"
        value={value}
        aria-keyshortcuts="/"
        placeholder="press / to filter"
        onInput={event => onInput(event.currentTarget.value)}
      />
    </label>
  )
}

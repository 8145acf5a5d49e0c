import type { FilterDraft } from './filter-draft.ts'

type Field<Filter> = {
  readonly filter: FilterDraft<Filter>
  readonly name: keyof Filter & string
  readonly label: string
  readonly example?: string
  /** What it needs first; empty where nothing. */
  readonly needs?: string
}

/** One name by which a list of the server is filtered. */
export function FilterField<Filter extends Readonly<Record<string, string>>>(props: Field<Filter>) {
  const { filter, name, label, example = 'all', needs = '' } = props
  const { draft, type, apply } = filter
  const typed = (value: string): Partial<Filter> => Object.assign({}, draft, { [name]: value })
  return (
    <label class="filter">
      <span>{label}</span>
      <input
        type="text"
        class="mono"
        spellcheck={false}
        autocomplete="off"
        disabled={needs !== ''}
        placeholder={needs === '' ? example : needs}
        value={draft[name]}
        onInput={event => type(typed(event.currentTarget.value))}
        onBlur={apply}
        onKeyDown={event => event.key === 'Enter' && apply()}
      />
    </label>
  )
}

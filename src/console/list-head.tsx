import type { ComponentChildren } from 'preact'
import { FilterBox, type FilterProps } from './filter-box.tsx'

type ListCount = {
  readonly shown: number
  /** What was read, and whether the server has more. */
  readonly of: { readonly items: readonly unknown[]; readonly more: boolean }
  /** The name of what is listed, in the plural. */
  readonly what: string
  /** Behind the count. */
  readonly children?: ComponentChildren
}

/** The head of a list: its filter, and how many of how many are shown. */
export function ListHead({ shown, of, what, children, ...filter }: FilterProps & ListCount) {
  return (
    <div class="bar">
      <FilterBox {...filter} />
      <p class="quiet" role="status">
        {shown} of {of.items.length}
        {of.more && ' first'} {what}
        {children}
      </p>
    </div>
  )
}

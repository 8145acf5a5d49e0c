import type { Route } from './story.ts'

/** What the API did, as it would stand in its log: who acted, for whom, with what. */
export type Done = { readonly route: Route; readonly by: string; readonly for: string; readonly body: unknown }

/** The books behind the API, the same in both worlds. */
export type Ledger = {
  readonly done: Done[]
  /** Text in the invoice, which whoever sends invoices controls. */
  note: string
}

/** Books with nothing in them. */
export function emptyLedger(): Ledger {
  return { done: [], note: 'Thank you for your custom.' }
}

/** What GET /invoices answers. */
export function invoices({ note }: Ledger): object {
  return { invoices: [{ invoice: 'INV-7', amount: 1200, note }] }
}

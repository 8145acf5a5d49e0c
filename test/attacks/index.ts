import { input } from './index-input.ts'
import { service } from './index-service.ts'
import { tokens } from './index-tokens.ts'

/**
 * Every row of the attack catalogue: `tests` are path#part of a test's title, one for each part of the row, and each of
 * them must be there; `faults` are promises of the fault tests, which a machine is broken for; `later` what of the row
 * waits for a part of Remit that does not exist yet; `not_yet` where nothing of the row exists.
 */
export type Covered =
  | {
      readonly tests: readonly [string, ...(readonly string[])]
      readonly faults?: readonly string[]
      readonly later?: string
    }
  | { readonly not_yet: string }

export const attacks: Readonly<Record<number, Covered>> = { ...tokens, ...input, ...service }

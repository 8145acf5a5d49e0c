import fc from 'fast-check'
import { percent } from './workflows.ts'

export const LIES = [
  'scope',
  'audience',
  'exp',
  'prev',
  'other prev',
  'signer',
  'holder',
  'jkt',
  'iss',
  'sub',
  'subject',
  'parent',
  'execution',
  'stale',
  'late',
  'twin',
  'chain',
  'loop',
  'step',
  'asks more',
] as const
export type Lie = (typeof LIES)[number]

/** One act on a tree of tokens, by choices that the state of the moment turns into names. */
export type TreeCommand =
  | { readonly kind: 'root'; readonly pick: number; readonly bits: number; readonly resource: number }
  | {
      readonly kind: 'delegate'
      /** The newest token, or any. */
      readonly parent: 'newest' | 'any'
      readonly pick: number
      readonly hands_over: boolean
      /** Scopes of the assertion and of the token, as bits. */
      readonly bits: number
      readonly asks: number
      readonly seconds: number
      readonly lie: Lie | undefined
      readonly exchange: boolean
      /** Sent twice at the same time, as by a delegate that gave up waiting. */
      readonly twice: boolean
    }
  | { readonly kind: 'repeat'; readonly pick: number; readonly asks: number; readonly exchange: boolean }
  | { readonly kind: 'wait'; readonly seconds: number }

const bits = fc.integer({ min: 1, max: 7 })
const pick = fc.nat(999)

const root: fc.Arbitrary<TreeCommand> = fc.record({
  ...{ kind: fc.constant('root' as const), pick, bits: fc.constantFrom(7, 7, 7, 3, 5) },
  resource: fc.nat(2),
})

const delegate: fc.Arbitrary<TreeCommand> = fc.record({
  kind: fc.constant('delegate' as const),
  parent: fc.constantFrom('newest' as const, 'any' as const),
  pick,
  hands_over: percent(40),
  bits: fc.constantFrom(7, 7, 3, 1, 5),
  asks: fc.constantFrom(7, 7, 7, 3, 1, 2, 4),
  seconds: fc.constantFrom(60, 200, 600, 3600),
  lie: fc.oneof({ arbitrary: fc.constant(undefined), weight: 2 }, { arbitrary: fc.constantFrom(...LIES), weight: 1 }),
  exchange: percent(30),
  twice: percent(15),
})

const repeat: fc.Arbitrary<TreeCommand> = fc.record({
  ...{ kind: fc.constant('repeat' as const), pick, asks: bits, exchange: percent(30) },
})

const wait: fc.Arbitrary<TreeCommand> = fc.record({
  kind: fc.constant('wait' as const),
  seconds: fc.constantFrom(1, 59, 121, 121, 301),
})

export const treeCommands: fc.Arbitrary<readonly TreeCommand[]> = fc.array(
  fc.oneof(
    { arbitrary: delegate, weight: 14 },
    { arbitrary: root, weight: 2 },
    { arbitrary: repeat, weight: 3 },
    { arbitrary: wait, weight: 2 },
  ),
  { minLength: 20, maxLength: 32, size: 'max' },
)

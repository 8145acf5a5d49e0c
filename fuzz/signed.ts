import fc from 'fast-check'
import { z } from 'zod'
import { importPublicJwk } from '../src/protocol/jwk.ts'
import { base64url, forge, type TestKey, testKey } from '../test/protocol/forge.ts'

/** Keys of this process: who signs, and who would like to. */
export const KEYS = { ES256: testKey('ES256'), Ed25519: testKey('Ed25519'), other: testKey('ES256') } as const
export const JKTS = {
  ES256: (await importPublicJwk(KEYS.ES256.jwk)).jkt,
  Ed25519: (await importPublicJwk(KEYS.Ed25519.jwk)).jkt,
} as const

const members = z.record(z.string(), z.json())
export const signedInput = z.object({
  by: z.enum(['ES256', 'Ed25519', 'other']),
  /** Members put into, or in the place of, those of a good one. */
  header: members,
  payload: members,
  without: z.array(z.string()),
  /** What is done to the text once it is signed. */
  afterwards: z.enum(['nothing', 'signature', 'payload', 'none']),
})
export type SignedInput = z.output<typeof signedInput>
type Members = z.output<typeof members>

/** Mostly good, with one to three things wrong: each member takes a value of its own list, or is left out. */
export function signed(
  header: Readonly<Record<string, readonly z.output<ReturnType<typeof z.json>>[]>>,
  payload: Readonly<Record<string, readonly z.output<ReturnType<typeof z.json>>[]>>,
): fc.Arbitrary<SignedInput> {
  return fc.record({
    by: fc.constantFrom('ES256' as const, 'ES256' as const, 'Ed25519' as const, 'other' as const),
    header: someOf(header, 1),
    payload: someOf(payload, 3),
    without: fc.oneof(
      { arbitrary: fc.constant<string[]>([]), weight: 5 },
      { arbitrary: fc.subarray([...Object.keys(header), ...Object.keys(payload)], { maxLength: 1 }), weight: 1 },
    ),
    afterwards: fc.oneof(
      { arbitrary: fc.constant('nothing' as const), weight: 8 },
      { arbitrary: fc.constantFrom('signature' as const, 'payload' as const, 'none' as const), weight: 1 },
    ),
  })
}

function someOf(choices: Readonly<Record<string, readonly Members[string][]>>, most: number): fc.Arbitrary<Members> {
  const names = Object.keys(choices)
  const member = fc
    .tuple(fc.constantFrom(...names), fc.nat(99))
    .map(([name, pick]): [string, Members[string]] => [
      name,
      choices[name]?.[pick % (choices[name]?.length ?? 1)] ?? null,
    ])
  return fc.array(member, { maxLength: most }).map(all => Object.fromEntries(all))
}

/** The parts as they will be signed, and the text. */
export function signIt(
  { by, header, payload, without, afterwards }: SignedInput,
  good: { readonly header: object; readonly payload: object },
): { readonly header: Members; readonly payload: Members; readonly token: string; readonly isWhole: boolean } {
  const key: TestKey = KEYS[by]
  const shownHeader = members.parse(JSON.parse(JSON.stringify({ alg: key.alg, ...good.header, ...header })))
  const shownPayload = members.parse(JSON.parse(JSON.stringify({ ...good.payload, ...payload })))
  for (const name of without) {
    delete shownHeader[name]
    delete shownPayload[name]
  }
  const token = forge(shownHeader, shownPayload, key)
  const [first = '', second = '', third = ''] = token.split('.')
  const done = {
    nothing: token,
    signature: `${first}.${second}.${base64url(Buffer.from(third, 'base64url').map((byte, at) => (at === 9 ? byte ^ 1 : byte)))}`,
    payload: `${first}.${base64url(`${Buffer.from(second, 'base64url')} `)}.${third}`,
    none: `${first}.${second}.AA`,
  }[afterwards]
  return { header: shownHeader, payload: shownPayload, token: done, isWhole: afterwards === 'nothing' }
}

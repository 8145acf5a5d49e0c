import type { TestEvent } from 'node:test/reporters'

/** One test of the catalogue of attacks that ended, a line of JSON each. */
export type Ended = { readonly file: string; readonly title: string; readonly passed: boolean }

/** Reporter of `node --test` for `rows.ts`: what came of each test that names a row. */
export default async function* rowReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (!data.name.includes('[attack ')) continue
    const passed = type === 'test:pass' && data.skip === undefined && data.todo === undefined
    yield `${JSON.stringify({ file: data.file ?? '', title: data.name, passed } satisfies Ended)}\n`
  }
}

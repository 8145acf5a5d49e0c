import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const ranges = z.record(z.string(), z.string())
const rootManifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string(),
  engines: z.object({ node: z.string() }),
  exports: ranges,
  dependencies: ranges.and(z.object({ jose: z.string(), zod: z.string() })),
  devDependencies: ranges,
})
export type RootManifest = z.output<typeof rootManifestSchema>

export async function readRootManifest(path: string): Promise<RootManifest> {
  return rootManifestSchema.parse(JSON.parse(await readFile(path, 'utf8')))
}

/**
 * package.json of the SDK. It has the name of the project, so that `remit/shim` is the same module to an example in the
 * repository and to whoever installed the package. `frameworks` are those that adapters name: everybody brings their own.
 */
export function sdkManifest(root: RootManifest, frameworks: readonly string[]): object {
  const { name, version, license, engines, dependencies } = root
  const rangeOf = (framework: string) => {
    const range = dependencies[framework] ?? root.devDependencies[framework]
    if (range === undefined) throw new Error(`An adapter names ${framework}, which the project does not test against.`)
    return [framework, range] as const
  }
  return {
    name,
    version,
    description: 'Both ends of Remit: the shim in an agent, the verifier at an API. A-JWT intent tokens with DPoP.',
    license,
    type: 'module',
    engines,
    sideEffects: false,
    exports: sdkExports(root.exports),
    dependencies: { jose: dependencies.jose, zod: dependencies.zod },
    peerDependencies: Object.fromEntries(frameworks.map(rangeOf)),
    peerDependenciesMeta: Object.fromEntries(frameworks.map(framework => [framework, { optional: true }])),
  }
}

/** The subpaths of the repository, as they stand in the package. */
function sdkExports(exports: RootManifest['exports']): object {
  const modules = Object.entries(exports).map(([subpath, source]) => {
    const built = source.replace(/^\.\/src\//, './').replace(/\.ts$/, '')
    return [subpath, { types: `${built}.d.ts`, default: `${built}.js` }]
  })
  return { ...Object.fromEntries(modules), './vectors/*': './vectors/*', './package.json': './package.json' }
}

import type { Config } from '../config.ts'
import { pathOf } from './surface.ts'

/** URL of the RFC 9728 document of one of our own two resources: the well-known name is put before the path. */
export function resourceMetadataUrl({ issuer, adminAudience }: Config, audience: 'issuer' | 'admin'): string {
  const resource = audience === 'issuer' ? issuer : adminAudience
  return `${new URL(issuer).origin}/.well-known/oauth-protected-resource${pathOf(resource)}`
}

/** The public URL of a request to one of our APIs: the configured origin and the path as sent, never the Host header. */
export function publicUrl(baseUrl: string, target: string): string {
  return `${new URL(baseUrl).origin}${target.split('?', 1)[0]}`
}

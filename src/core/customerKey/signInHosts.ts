/**
 * Where users and applications sign in, by cloud. Source: Microsoft docs, "National clouds", authentication endpoints.
 */
export const signInHosts = {
  public: 'https://login.microsoftonline.com',
  usgov: 'https://login.microsoftonline.us',
  china: 'https://login.partner.microsoftonline.cn',
} as const;
